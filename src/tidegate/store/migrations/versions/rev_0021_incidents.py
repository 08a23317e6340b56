"""Incidents: the time from harm to recovery."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "incident",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("placement", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("deployment", sa.Text()),
        sa.Column("commit", sa.Text()),
        sa.Column("good", sa.Text()),
        sa.Column("good_commit", sa.Text()),
        sa.Column("after_order", sa.Integer(), nullable=False),
        sa.Column("up_to_order", sa.Integer(), nullable=False),
        sa.Column("rollout", sa.Text()),
        sa.Column("run", sa.Text()),
        sa.Column("evidence", sa.Text()),
        sa.Column("alerts", sa.Text(), nullable=False),
        sa.Column("healthy_since", sa.DateTime()),
        sa.Column("closed_at", sa.DateTime()),
        sa.Column("closed_by", sa.Text()),
        sa.Column("closed_because", sa.Text(), nullable=False),
    )
    op.create_index("incident_by_placement", "incident", ["placement", "closed_at"])
    op.create_index("incident_by_run", "incident", ["run"])
