"""For which attempt of a stage the glass broke."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("break_glass", sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"))
