"""The application that rides on the bus: projects whose agents write a small web application, live."""
