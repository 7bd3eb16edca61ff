"""An example fleet: two rollouts, their environment and images, used by the demo and the tests."""
