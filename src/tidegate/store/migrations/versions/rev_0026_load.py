"""Load checks: what a rollout's measured, and the busiest minute of each hour's traffic."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("rollout", sa.Column("lacks", sa.Text()))
    op.add_column("rollout", sa.Column("load_due_at", sa.DateTime()))
    op.add_column("rollout", sa.Column("load", sa.Text()))
    op.add_column("traffic", sa.Column("busiest", sa.Integer(), nullable=False, server_default="0"))
