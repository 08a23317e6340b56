"""People, their teams, the roles that they hold, and their tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the four tables."""
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("disabled_because", sa.Text()),
    )
    op.create_table(
        "team",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("members", sa.Text(), nullable=False),
    )
    op.create_table(
        "role_grant",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("holder_kind", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("service", sa.Text()),
        sa.Column("environment", sa.Text()),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "access_token",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("role", sa.Text()),
        sa.Column("used_at", sa.DateTime()),
        sa.Column("revoked_at", sa.DateTime()),
    )
    op.create_index("access_token_by_hash", "access_token", ["token_hash"], unique=True)
    op.create_index("access_token_by_account", "access_token", ["account"])
