"""A release says where each of its artifacts comes from. Of earlier releases it is not known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of what is there, nothing is said."""
    op.add_column("release", sa.Column("origins", sa.Text(), nullable=False, server_default="[]"))
