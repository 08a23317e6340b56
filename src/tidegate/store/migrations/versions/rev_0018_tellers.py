"""Which server tells a channel, and until when no other does."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("notification_cursor", sa.Column("teller", sa.Text()))
    op.add_column("notification_cursor", sa.Column("leased_until", sa.DateTime()))
