"""Results of steps are kept; a build's setup has inputs and outputs of its own."""

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
