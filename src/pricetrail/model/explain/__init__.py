"""What each feature added to a prediction: SHAP values and their figures."""
