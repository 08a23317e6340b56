"""How far each channel has been told."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "notification_cursor",
        sa.Column("channel", sa.Text(), primary_key=True),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.DateTime()),
        sa.Column("failing_because", sa.Text(), nullable=False),
    )
