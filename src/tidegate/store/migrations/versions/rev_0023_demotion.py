"""A service that burnt its error budget loses the right to deploy by policy."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("service", sa.Column("granted_at", sa.DateTime()))
    op.add_column("service", sa.Column("demoted_because", sa.Text()))
