"""Of which freezes the beginning was told."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "begun_freeze",
        sa.Column("freeze", sa.Text(), primary_key=True),
        sa.Column("begins", sa.DateTime(), nullable=False),
    )
