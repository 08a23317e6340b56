"""A placement has a floor where a step that cannot be undone has begun."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("placement", sa.Column("floor", sa.Text()))
    op.add_column("rollout", sa.Column("held_at_floor", sa.Text()))
