"""What each picture of a lesson shows, for those who cannot see it and those who look twice."""

CAPTIONS = {
    "l00_there_and_back.png":
        "Seven small matrices with their numbers: the picture x, the filter W, the map z, the four winners of the pooling, and the "
        "gradients that come back for the winners, for z, and for x.",
    "l00_error_curve.png":
        "The error of a numerical slope against the step h, both axes logarithmic: two valleys. In float64 the lowest point is near "
        "1e-5, in float32 near 1e-2, and far higher.",
    "l01_who_is_it.png":
        "A drawn face at the door, and beside it everybody in the gallery, the nearest first: a bar for each distance d, and a line "
        "at the threshold tau. One bar alone ends before the line.",
    "l02_distances_part.png":
        "The encodings of eight people whom the network never saw, at several epochs, in a plane: a heap of all colours at first, then "
        "a cloud for each person.",
    "l02_histograms.png":
        "Two histograms of distances, back to back: pairs of one person lie near zero, pairs of two people reach much farther.",
    "l03_roc.png":
        "Four ROC curves, the share of right pairs accepted against the share of wrong ones: the learned encoder and both heads on it "
        "close to the upper left corner, raw pixels far below.",
    "l03_histograms.png":
        "Distances of pairs of one person and of two people, back to back, cut by a line at the threshold tau; what lies on the wrong "
        "side of it is darker: the two kinds of mistakes.",
    "l04_one_anchor.png":
        "An anchor A amid encodings of 20 people. A ring through its positive P, a wider one at the margin: negatives beyond both are "
        "easy, between them semi-hard, inside hard; one semi-hard N is joined to A.",
    "l04_curves.png":
        "Three curves each for the loss, the active triplets and the one-shot accuracy over the epochs: for random, semi-hard and "
        "batch-hard triplets, which stands still at the margin.",
    "l05_stages.png":
        "The content picture, the style picture, and the generated picture at six steps: from white noise to a portrait in the "
        "strokes and colours of the drawn sky.",
    "l05_curves.png":
        "The total cost, the content cost, the style cost of each layer and the total variation, falling over the steps of the run.",
    "l06_layers.png":
        "A sheet for each of five layers: three units, each with the nine patches that drive it most. Edges and single colours in "
        "layer 1, then pairs of colours, stripes and dots, rings, faces.",
    "l06_unit.png":
        "One unit of layer relu3_1 from every side: its nine patches and where in their pictures they are, three ways back to the "
        "pixels, the picture that drives it up from noise, and the channels active with it.",
    "l07_stages.png":
        "Content, style, and the picture on its way from white noise by plain gradient descent; a picture of glaring dots, from a "
        "rate five times too large; and four ends for alpha / beta from 1e-4 to 1e-7, in which the face gives way to strokes.",
    "l07_ways_down.png":
        "J over the steps, on a logarithmic axis: three ways down close together, by plain descent, momentum and Adam, and one that "
        "shoots up, plain descent at five times the rate.",
    "l08_layers.png":
        "A portrait painted anew from what one layer alone knows of it, relu1_1 to relu5_1: from a copy to a face in wrong colours "
        "and places. Below, the style picture, and three layers together with its style.",
    "l09_together.png":
        "Two pictures of stripes and patches and what two channels see in them. Where stripes are orange, both channels are active at "
        "one place, and so is their product; where they are not, the product is black.",
    "l09_lambda.png":
        "The style picture, then what the style of each layer alone paints out of noise: grains of colour, short strokes, swirls, "
        "knots; and all five together, nearest to the sky.",
}
