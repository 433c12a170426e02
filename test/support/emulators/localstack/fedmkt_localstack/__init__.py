"""What LocalStack's host mode lacks for the tests: Node functions as processes, and ECS."""
