"""Everything that speaks to Kafka; nothing else imports the client library."""
