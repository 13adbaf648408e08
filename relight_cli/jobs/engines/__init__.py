"""Who makes the photos of a command: this process, or actors on a Ray cluster to which it hands them."""
