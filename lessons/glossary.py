"""The lecture's letters and words: how the code writes them, and what they are called in Chinese.

The letters are those of `scratchnet/__init__.py`, in its order: no others occur in the package. The lecture uses two of them twice.
"""

LETTERS = (                                           # lecture, code, meaning, in Chinese, shape or unit
    ("a^[l], z^[l]", 'a["relu4_2"], a["conv4_2"]', "activations of layer l, and what they are before the ReLU",
     "第 l 层的激活值，以及激活之前的值", "(m, n_H, n_W, n_C)"),
    ("W^[l], b^[l]", 'params["W"], ["b"]', "filters and biases of layer l", "第 l 层的滤波器（权重）与偏置", "(f, f, n_C_prev, n_C), (n_C,)"),
    ("dJ/da, dJ/dW", "da, dW", "gradients of the cost", "代价对激活值、权重的梯度", "the shape of a, of W"),
    ("f, s, p", "f, stride, pad", "side of a filter, stride, padding", "滤波器边长、步幅、填充", "pixels"),
    ("C, S, G", "C, S, G", "content picture, style picture, generated picture", "内容图像、风格图像、生成图像", "(1, n_H, n_W, 3), RGB, 0 to 1"),
    ("G^[l](S), G^[l](G)", "G_S[l], G_G[l]", "style matrices (Gram matrices) of the style picture and of the generated one",
     "风格图像与生成图像的风格矩阵（Gram 矩阵）", "(n_C, n_C)"),
    ("lambda^[l]", "lam[l]", "weight of layer l in the style cost", "第 l 层在风格代价中的权重", "a number"),
    ("alpha, beta", "alpha, beta", "weights of the content cost and of the style cost", "内容代价与风格代价的权重", "numbers"),
    ("f(x), f(A), f(P), f(N)", "f_A, f_P, f_N", "encodings of a picture, of anchor, positive and negative",
     "图像的编码；锚点、正样本、负样本的编码", "(m, n_f)"),
    ("alpha of the triplet loss", "margin", "how much farther the negative must be than the positive", "间隔", "a squared distance"),
    ("d(x1, x2), tau", "d, tau", "distance of two pictures, and the threshold: the same person when d ≤ τ",
     "两张图像的距离，以及阈值", "squared distances"),
)

TWICE = (                                             # letter, then its two meanings: (where, code, meaning, formula, in Chinese)
    ("G", ("neural style transfer", "G", "the generated picture", "J(G)", "生成图像"),
          ("style cost", "G_S[l], G_G[l]", "the style matrix of a layer", "G^[l](S), G^[l](G)", "风格矩阵（Gram 矩阵）")),
    ("alpha", ("cost function", "alpha", "the weight of the content cost", "J(G) = alpha J_content + beta J_style", "内容代价的权重"),
              ("triplet loss", "margin", "the margin", "d(A, P) + alpha <= d(A, N)", "间隔")),
)

WORDS = (                                             # English, Chinese
    ("one-shot learning", "One-Shot 学习（单样本学习）"), ("similarity function", "相似度函数"), ("face verification (1 : 1)", "人脸验证"),
    ("face recognition (1 : K)", "人脸识别"), ("threshold", "阈值"), ("hyperparameter", "超参数"), ("encoding", "编码"),
    ("Siamese network", "Siamese 网络（孪生网络）"), ("contrastive loss", "对比损失"), ("triplet loss", "Triplet 损失（三元组损失）"),
    ("anchor, positive, negative", "锚点、正样本、负样本"), ("margin", "间隔"), ("hard triplet", "困难三元组"),
    ("semi-hard triplet", "半困难三元组"), ("collapse", "坍塌"),
    ("binary classification", "二分类"), ("cross-entropy", "交叉熵"), ("neural style transfer", "神经风格迁移"),
    ("content cost", "内容代价"), ("style cost", "风格代价"), ("cost function", "代价函数"), ("loss function", "损失函数"),
    ("style matrix", "风格矩阵（Gram 矩阵）"), ("white noise", "白噪声"), ("layer", "层"), ("unit", "单元（神经元）"), ("channel", "通道"),
    ("activation", "激活（激活值）"), ("activation function", "激活函数"), ("receptive field", "感受野"), ("picture patch", "图像块"),
    ("convolution", "卷积"), ("filter", "滤波器（卷积核）"), ("stride", "步幅"), ("padding", "填充"), ("pooling", "池化"),
    ("fully connected layer", "全连接层"), ("batch normalisation", "批归一化"), ("dropout", "随机失活"), ("gradient", "梯度"),
    ("gradient descent", "梯度下降"), ("learning rate", "学习率"), ("backpropagation", "反向传播"), ("gradient check", "梯度检验"),
    ("training set", "训练集"), ("optimiser", "优化器"),
)
