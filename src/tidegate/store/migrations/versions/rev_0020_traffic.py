"""What routers counted is kept by minutes and by hours."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "traffic",
        sa.Column("placement", sa.Text(), primary_key=True),
        sa.Column("span", sa.Text(), primary_key=True),
        sa.Column("begin", sa.DateTime(), primary_key=True),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("edges", sa.Text(), nullable=False),
        sa.Column("latency", sa.Text(), nullable=False),
    )
    op.create_index("traffic_by_begin", "traffic", ["span", "begin"])
    op.create_table(
        "traffic_reading",
        sa.Column("placement", sa.Text(), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("deployments", sa.Text(), nullable=False),
        sa.Column("burning_since", sa.DateTime()),
    )
