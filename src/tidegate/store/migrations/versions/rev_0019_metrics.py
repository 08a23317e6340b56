"""What sources say of metrics is kept with a rollout, and some of it from rollout to rollout."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "metric_reading",
        sa.Column("rollout", sa.Text(), primary_key=True),
        sa.Column("metric", sa.Text(), primary_key=True),
        sa.Column("begin", sa.DateTime(), primary_key=True),
        sa.Column("end", sa.DateTime(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("canary", sa.Text()),
        sa.Column("baseline", sa.Text()),
        sa.Column("trouble", sa.Text(), nullable=False),
    )
    op.create_table(
        "metric_history",
        sa.Column("placement", sa.Text(), primary_key=True),
        sa.Column("metric", sa.Text(), primary_key=True),
        sa.Column("hour", sa.DateTime(), primary_key=True),
        sa.Column("batches", sa.Text(), nullable=False),
    )
    op.create_index("metric_history_by_hour", "metric_history", ["hour"])
