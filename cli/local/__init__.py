"""One machine: a real mongod, a real RabbitMQ node, a mail server and the eleven processes."""
