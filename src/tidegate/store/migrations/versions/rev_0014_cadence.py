"""Release trains, and what services require of each other."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of trains, and what a service's newest file says of its train and of other services."""
    op.create_table(
        "train_run",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("train", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column("leaves_at", sa.DateTime()),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("members", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("held_by", sa.Text()),
        sa.Column("depart_asked_by", sa.Text()),
        sa.Column("cancel_asked_by", sa.Text()),
        sa.Column("departed_at", sa.DateTime()),
        sa.Column("ended_at", sa.DateTime()),
        sa.Column("because", sa.Text(), nullable=False),
    )
    op.create_index("train_run_by_train", "train_run", ["train", "state"])
    op.add_column("service", sa.Column("train", sa.Text()))
    op.add_column("service", sa.Column("requires", sa.Text(), nullable=False, server_default="[]"))
