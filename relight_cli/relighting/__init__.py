"""The light of a picture: relight, deshadow and albedo as gains on the photo's own pixels. No paths, no printing."""
