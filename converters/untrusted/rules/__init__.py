"""What each accepted operator must look like, by kind of operator."""
