"""What is used of scikit-learn, which comes with the extra `offline`: imported here and nowhere else."""

from stream.errors import OfflineError

try:
    from sklearn.cluster import AgglomerativeClustering, KMeans
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, silhouette_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from threadpoolctl import threadpool_limits
except ModuleNotFoundError:  # `require_scikit_learn` says so to whoever wants any of these
    AgglomerativeClustering = KMeans = adjusted_rand_score = davies_bouldin_score = silhouette_score = None
    HistGradientBoostingClassifier = HistGradientBoostingRegressor = None
    RandomForestClassifier = RandomForestRegressor = LogisticRegression = Ridge = None
    make_pipeline = FunctionTransformer = StandardScaler = threadpool_limits = None

__all__ = [
    "AgglomerativeClustering", "FunctionTransformer", "HistGradientBoostingClassifier", "HistGradientBoostingRegressor",
    "KMeans", "LogisticRegression", "RandomForestClassifier", "RandomForestRegressor", "Ridge", "StandardScaler",
    "adjusted_rand_score", "davies_bouldin_score", "make_pipeline", "require_scikit_learn", "silhouette_score",
    "threadpool_limits",
]  # fmt: skip


def require_scikit_learn() -> None:
    """See that batch models can be fitted.

    Raises:
        OfflineError: scikit-learn is not installed.
    """
    if LogisticRegression is None:
        raise OfflineError("Batch models need scikit-learn, which is not installed. Run `pip install 'ebb[offline]'`.")
