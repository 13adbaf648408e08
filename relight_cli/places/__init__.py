"""Where a photo may lie besides a folder: objects in buckets and on web servers, as paths that know how to be read."""
