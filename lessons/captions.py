"""What each picture of a lesson shows, for those who cannot see it and those who look twice."""

CAPTIONS = {
    "l00_there_and_back.png":
        "Seven small matrices with their numbers: the picture x, the filter W, the map z, the four winners of the pooling, and the "
        "gradients that come back for the winners, for z, and for x.",
    "l00_error_curve.png":
        "The error of a numerical slope against the step h, both axes logarithmic: two valleys. In float64 the lowest point is near 1e-5, "
        "in float32 near 1e-2, and far higher.",
    "l05_stages.png":
        "The content picture, the style picture, and the generated picture at six steps: from white noise to a portrait in the strokes and "
        "colours of the drawn sky.",
    "l05_curves.png":
        "The total cost, the content cost, the style cost of each layer and the total variation, falling over the steps of the run.",
    "l06_layers.png":
        "A sheet for each of five layers: three units, each with the nine patches that drive it most. Edges and single colours in layer 1, "
        "then pairs of colours, stripes and dots, rings, faces.",
    "l06_unit.png":
        "One unit of layer relu3_1 from every side: its nine patches and where in their pictures they are, three ways back to the pixels, "
        "the picture that drives it up from noise, and the channels active with it.",
}
