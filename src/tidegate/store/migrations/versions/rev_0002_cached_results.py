"""Results of steps are kept, a build's setup has inputs and outputs of its own, and agents are known."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is kept, and rewrite the pipelines that are recorded."""
    op.create_table(
        "cached_result",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("step_run", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=False),
    )
    op.create_index("cached_result_by_use", "cached_result", ["used_at"])
    op.create_table(
        "agent",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=True),
        sa.Column("instance", sa.Text(), nullable=True),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("platform", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.DateTime(), nullable=True),
        sa.Column("leaving", sa.Boolean(), nullable=False),
        sa.Column("drained_by", sa.Text(), nullable=True),
    )
    op.create_index("agent_by_token", "agent", ["token_hash"], unique=True)
    for name in ("files", "key", "cached_from"):
        op.add_column("step_run", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("run", sa.Column("changed", sa.Text(), nullable=True))
    for table in ("run", "release"):
        _rewrite_pipelines(sa.table(table, sa.column("id", sa.Text()), sa.column("pipeline", sa.Text())))


def _rewrite_pipelines(table: sa.TableClause) -> None:
    """A setup that was a script is now `{run: …}`."""
    connection = op.get_bind()
    for row in connection.execute(sa.select(table.c.id, table.c.pipeline).where(table.c.pipeline.is_not(None))).all():
        pipeline = json.loads(row.pipeline)
        setup = pipeline.get("build", {}).get("setup")
        if isinstance(setup, str):
            pipeline["build"]["setup"] = {"run": setup}
            changed = table.update().where(table.c.id == row.id).values(pipeline=json.dumps(pipeline))
            connection.execute(changed)
