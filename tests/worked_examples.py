"""Error rates of the course, and the verdict on them."""

EXAMPLES = [
    ("human=0% train=1% validation=11%", "high_variance"),
    ("human=0% train=15% validation=16%", "high_bias"),
    ("human=0% train=15% validation=30%", "high_bias_and_variance"),
    ("human=0% train=0.5% validation=1%", "ok"),
    ("human=14% train=15% validation=30%", "high_variance"),
    ("human=14% train=15% validation=16%", "ok"),
    ("human=0% train=1% train_dev=5% validation=5%", "high_variance"),
    ("human=0% train=10% train_dev=11% validation=12%", "high_bias"),
    ("human=0% train=10% train_dev=11% validation=20%", "high_bias"),
    ("human=0% train=1% train_dev=1.5% validation=10%", "data_mismatch"),
    ("human=1% train=8% validation=10%", "high_bias"),
    ("human=7.5% train=8% validation=10%", "high_variance"),
    ("human=0.5% train=8.8% train_dev=9.1% validation=14.3% test=14.8%", "high_bias"),
    ("human=0.1% train=2% validation=2.1% test=7%", "validation_overfit"),
]
