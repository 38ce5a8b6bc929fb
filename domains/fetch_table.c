/*
 * fetch_table.c - the public datasets that `domains fetch` knows.
 *
 * Where the sums are from: TensorFlow Datasets' url_checksums (mnist,
 * fashion_mnist, kmnist), agreed with other projects' published lists; those
 * of MNIST's labels and test images were also computed from copies of the
 * official files. A set without such a sum does not come in here.
 */
#include "domains/fetch.h"

#define MNIST_URL "https://ossci-datasets.s3.amazonaws.com/mnist/"
#define FASHION_URL                                                            \
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
#define KMNIST_URL "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"

#define TRAIN_IMAGES "train-images-idx3-ubyte.gz"
#define TRAIN_LABELS "train-labels-idx1-ubyte.gz"
#define TEST_IMAGES  "t10k-images-idx3-ubyte.gz"
#define TEST_LABELS  "t10k-labels-idx1-ubyte.gz"

static const struct dom_fetch_file mnist[] = {
    {TRAIN_IMAGES, MNIST_URL TRAIN_IMAGES,
     "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
     9912422},
    {TRAIN_LABELS, MNIST_URL TRAIN_LABELS,
     "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881},
    {TEST_IMAGES, MNIST_URL TEST_IMAGES,
     "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
     1648877},
    {TEST_LABELS, MNIST_URL TEST_LABELS,
     "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542},
    {0},
};

static const struct dom_fetch_file fashion[] = {
    {TRAIN_IMAGES, FASHION_URL TRAIN_IMAGES,
     "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
     26421880},
    {TRAIN_LABELS, FASHION_URL TRAIN_LABELS,
     "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515},
    {TEST_IMAGES, FASHION_URL TEST_IMAGES,
     "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
     4422102},
    {TEST_LABELS, FASHION_URL TEST_LABELS,
     "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148},
    {0},
};

static const struct dom_fetch_file kmnist[] = {
    {TRAIN_IMAGES, KMNIST_URL TRAIN_IMAGES,
     "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
     18165135},
    {TRAIN_LABELS, KMNIST_URL TRAIN_LABELS,
     "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29497},
    {TEST_IMAGES, KMNIST_URL TEST_IMAGES,
     "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
     3041136},
    {TEST_LABELS, KMNIST_URL TEST_LABELS,
     "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5120},
    {0},
};

const struct dom_fetch_set dom_fetch_sets[] = {
    {"mnist",
     "handwritten digits, 28x28 grey, 60000 + 10000 (no licence text from "
     "the authors)",
     mnist, NULL},
    {"fashion-mnist", "clothing articles, 28x28 grey, 60000 + 10000 (MIT)",
     fashion,
     "T-shirt/top\nTrouser\nPullover\nDress\nCoat\nSandal\nShirt\nSneaker\n"
     "Bag\nAnkle boot\n"},
    {"kmnist",
     "cursive Japanese characters, 28x28 grey, 60000 + 10000 (CC BY-SA 4.0)",
     kmnist, "o\nki\nsu\ntsu\nna\nha\nma\nya\nre\nwo\n"},
    {0},
};
