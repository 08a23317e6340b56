"""Who looked at the evidence for a run is remembered."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "evidence_view",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("actor", sa.Text(), primary_key=True),
        sa.Column("what", sa.Text(), primary_key=True),
        sa.Column("stage", sa.Text(), primary_key=True),
        sa.Column("first_at", sa.DateTime(), nullable=False),
    )
