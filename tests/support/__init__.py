"""What tests share: small shops, projects, clones, faults and oracles."""
