"""Lessons: one question each, a guess before the answer, numbers small enough for paper, and a picture to keep.

    python -m lessons            all of them
    python -m lessons 5          one
    python -m lessons --list     what there is

A lesson is a plain script in `# %%` cells. Read it in an editor that runs cells one by one, or run it as a whole: then out/index.html
has what it said and drew, to be read in a browser. None needs a download.
"""

LESSONS = {                                # number: module, title in English, title in Chinese (the lecture's sections)
    0: ("l00_layers_and_gradients", "layers and gradients", "零 · 层与梯度"),
    1: ("l01_one_shot_learning", "one-shot learning", "一 · One-Shot学习"),
    2: ("l02_siamese_network", "Siamese network", "二 · Siamese 网络"),
    3: ("l03_face_verification", "face verification and binary classification", "三 · 人脸验证与二分类"),
    4: ("l04_triplet_loss", "triplet loss", "四 · Triplet 损失"),
    5: ("l05_what_is_style_transfer", "what is neural style transfer", "五 · 什么是神经风格迁移"),
    6: ("l06_what_deep_convnets_learn", "what are deep ConvNets learning", "六 · 深度卷积网络学习什么"),
    7: ("l07_cost_function", "the cost function", "七 · 代价函数"),
    8: ("l08_content_cost", "the content cost", "八 · 内容代价函数"),
    9: ("l09_style_cost", "the style cost", "九 · 风格代价函数"),
}
