"""Signed checkpoints of the record; from where people act; lines that prove their place without their content."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns and two tables; lines that are there keep the form in which they were hashed."""
    op.add_column("event", sa.Column("form", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("event", sa.Column("access", sa.Text()))
    op.create_table(
        "record_key",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("follows", sa.Text()),
        sa.Column("old_signature", sa.Text(), nullable=False),
        sa.Column("own_signature", sa.Text(), nullable=False),
    )
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("first_event", sa.BigInteger(), nullable=False),
        sa.Column("last_event", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
    )
