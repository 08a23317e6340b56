"""Drills, and the rollouts that belong to one; incidents are looked for by their deployment."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, the column, and the index."""
    op.create_table(
        "drill",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("placement", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("good_commit", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rollout", sa.Text()),
        sa.Column("deployed_at", sa.DateTime()),
        sa.Column("seconds", sa.Float()),
        sa.Column("whole_seconds", sa.Float()),
        sa.Column("went_wrong", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime()),
    )
    op.create_index("drill_by_service", "drill", ["service", "state"])
    op.create_index("drill_by_placement", "drill", ["placement", "began_at"])
    op.add_column("rollout", sa.Column("drill", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("incident_by_run", "incident")
    op.create_index("incident_by_deployment", "incident", ["deployment"])
