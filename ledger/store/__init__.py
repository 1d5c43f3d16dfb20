"""The gateway's database: read model, outbox, vault and register. Nothing else imports SQLModel."""
