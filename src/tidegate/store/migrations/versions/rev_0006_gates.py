"""What gates look at: break-glass, delegations, whose changes are whose; rules of a gate stand together."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and columns, and bring pipelines that are kept into their new shape."""
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("reviewed_by", sa.Text()),
        sa.Column("reviewed_at", sa.DateTime()),
        sa.Column("review", sa.Text(), nullable=False),
    )
    op.create_index("break_glass_by_run", "break_glass", ["run"])
    op.create_table(
        "delegation",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("giver", sa.Text(), nullable=False),
        sa.Column("taker", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.Column("service", sa.Text()),
        sa.Column("revoked_at", sa.DateTime()),
    )
    op.create_index("delegation_by_taker", "delegation", ["taker"])
    op.create_table(
        "author_address",
        sa.Column("address", sa.Text(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(), nullable=False),
    )
    op.create_index("author_address_by_account", "author_address", ["account"])
    op.create_table(
        "author_key",
        sa.Column("fingerprint", sa.Text(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(), nullable=False),
    )
    op.create_index("author_key_by_account", "author_key", ["account"])
    op.add_column("service", sa.Column("lacks", sa.Text(), nullable=False, server_default="[]"))
    for name in ("stands_for", "looked_at"):
        op.add_column("approval", sa.Column(name, sa.Text(), nullable=False, server_default="[]"))
    for table in ("run", "release"):
        _gather_rules(table)


def _gather_rules(table: str) -> None:
    """`approvals` of a stage moves into its `gate`."""
    connection = op.get_bind()
    rows = sa.table(table, sa.column("id", sa.Text()), sa.column("pipeline", sa.Text()))
    for row in connection.execute(sa.select(rows).where(rows.c.pipeline.is_not(None))).all():
        pipeline = json.loads(row.pipeline)
        for stage in pipeline.get("stages", ()):
            stage["gate"] = {"approvals": stage.pop("approvals", None)}
        connection.execute(sa.update(rows).where(rows.c.id == row.id).values(pipeline=json.dumps(pipeline)))
