"""A billion recipients, on paper: what is measured on a short list, played on by a simulation."""
