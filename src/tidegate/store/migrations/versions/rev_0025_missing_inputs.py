"""A step whose inputs match no file of the commit fails and says so."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("step_run", sa.Column("missing_input", sa.Text()))
