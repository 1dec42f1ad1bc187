//! Classes that are refused by name, each with its reason: their answer is not a function of one row of a table.

/// The reason for which a class is not lifted.
pub(crate) fn reason(class: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(name, _)| *name == class).map(|(_, reason)| *reason)
}

const BATCH: &str = "its transform iterates until the whole batch has settled: what a row gives depends on the others";
const SPARSE_CODE: &str = "its transform searches a sparse code for each row by iteration until that settles";
const DICTS: &str = "its rows are dicts, and a table binds columns by name";

static REFUSED: &[(&str, &str)] = &[
    ("sklearn.cluster.SpectralClustering", "it has no prediction for new rows"),
    ("sklearn.decomposition.DictionaryLearning", SPARSE_CODE),
    (
        "sklearn.decomposition.LatentDirichletAllocation",
        "its transform iterates until each document's topics have settled",
    ),
    ("sklearn.decomposition.MiniBatchDictionaryLearning", SPARSE_CODE),
    ("sklearn.decomposition.MiniBatchNMF", BATCH),
    ("sklearn.decomposition.NMF", BATCH),
    ("sklearn.decomposition.SparseCoder", SPARSE_CODE),
    ("sklearn.feature_extraction.DictVectorizer", DICTS),
    ("sklearn.feature_extraction.FeatureHasher", DICTS),
    ("sklearn.feature_extraction.image.PatchExtractor", "its rows are images"),
    ("sklearn.kernel_approximation.PolynomialCountSketch", "its sketches are multiplied by a Fourier transform"),
    (
        "sklearn.preprocessing.MultiLabelBinarizer",
        "its rows are lists of labels, and a table has one value in a column",
    ),
];
