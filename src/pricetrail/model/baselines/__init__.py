"""The models beside the network, and behind it as backups: medians, LightGBM, Elastic Net, SVR."""
