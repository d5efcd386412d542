"""Image side: the stages, each run inside its own image under the step contract; never imports coralline."""
