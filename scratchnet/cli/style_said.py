"""What `style` says before it paints: what it was given, what it will do, what that takes, and what could be better."""

import time

from scratchnet import forecast, images, total_cost
from scratchnet.errors import ShapeError
from scratchnet.presets import PRESETS


def say(arguments, net, source, C, styles, settings):
    """All that is worth knowing before the run: pictures, network, settings, what is left over, memory and time."""
    several = ", ".join(f"{_sides(one.picture)}{f' x {one.weight:g}' if len(styles) > 1 else ''}" for one in styles)
    print(f"C {_sides(C)}, S {several}; network {source}; content {settings['content_layer']}, "
          f"style {' '.join(f'{l}={weight:g}' for l, weight in settings['lam'].items())}")
    if arguments.preset:
        print(f"preset {arguments.preset}: {PRESETS[arguments.preset].words}")
    _say_what_was_resized(arguments, net, C, styles)
    deepest = max((settings["content_layer"], *settings["lam"]), key=net.names.index)
    _say_what_is_left_over(net, deepest, C)
    _say_what_it_takes(arguments, net.freeze(until=deepest), C, styles, settings)


def counted(arguments, styles):
    """What forecast.memory counts besides the network."""
    remembered = 2 * arguments.history + 6 if arguments.optimizer == "lbfgs" else 4
    return dict(content_layer=arguments.content_layer, lam=arguments.style_layers, remembered=remembered,
                masks=sum(one.mask is not None for one in styles), styles=[one.picture.shape for one in styles])


def _say_what_was_resized(arguments, net, C, styles):
    """Of pictures made smaller or larger: how large they are in their files, and the memory that C would need as it is."""
    paths = arguments.style or [None]
    for name, path, picture in (("C", arguments.content, C), *(("S", path, one.picture) for path, one in zip(paths, styles))):
        n_H, n_W = images.stored_sides(path) if path else picture.shape[1:3]
        smaller = n_H * n_W > picture.shape[1] * picture.shape[2]
        if (n_H, n_W) != picture.shape[1:3]:
            line = f"{name} is {n_H}x{n_W} in '{path}', {'resized' if smaller else 'enlarged'} to {_sides(picture)}"
            if name == "C" and smaller:
                whole = forecast.memory(net, (1, n_H, n_W, 3), **counted(arguments, styles))
                line += f"; at its full size it would need {_bytes(whole)} of memory"
            print(line + ".")


def _say_what_is_left_over(net, deepest, C):
    """The border where the deepest layer pulls less, and the crop without one."""
    rows, columns = total_cost.left_over(net, deepest, C.shape)
    if rows or columns:
        edges = " and ".join(f"{n} {what}" for n, what in ((rows, "rows"), (columns, "columns")) if n)
        side = total_cost.step_of(net, deepest)
        print(f"The last {edges} of C fill no position of {deepest} ({side}x{side} pixels), which pulls less at that border. "
              f"Cropped to {C.shape[1] - rows}x{C.shape[2] - columns}, C has none such.")


def _say_what_it_takes(arguments, net, C, styles, settings):
    """Memory from the shapes. Time from steps on two small copies, which also compiles what is not yet compiled: a step
    costs something in any case, for the filters, and something for each pixel."""
    memory = forecast.memory(net, C.shape, strip=settings["strip"], **counted(arguments, styles))
    print("timing two small steps (the first run on a machine compiles its kernels now) ...", end=" ", flush=True)
    (few, fast), (more, slow) = (_timed(net, C, styles[0].picture, settings, side) for side in (96, 192))
    a_pixel = max(0.0, (slow - fast) / (more - few)) if more > few else 0.0
    pixels = C.shape[1] * C.shape[2]
    sides = [(side / max(C.shape[1:3])) ** 2 * pixels for side in arguments.scales]
    a_step = slow + a_pixel * (pixels - more)
    coarse = sum((slow + a_pixel * (n - more)) * arguments.per_scale for n in sides)
    if settings["strip"]:
        in_strips = forecast.work_of_strips(net, C.shape, **{k: settings[k] for k in ("content_layer", "lam", "strip")})
        a_step, coarse = in_strips * a_step, in_strips * coarse
        name = "C" if in_strips > 1 else "S"
        print(f"\n{name} does not fit into memory as a whole: it goes through the network in strips of {settings['strip']} rows, which "
              f"gives the same J and takes {in_strips:.1f} times the time.", end=" ")
    fine = arguments.steps + 2 - arguments.per_scale * len(arguments.scales)
    print(f"about {_duration(a_step * fine + coarse)} for {arguments.steps} step{'s' * (arguments.steps != 1)}"
          f"{_said_of_scales(arguments)}, and {_bytes(memory)} of memory.")


def _said_of_scales(arguments):
    if not arguments.scales:
        return ""
    return f", the first {len(arguments.scales) * arguments.per_scale} of them at {', '.join(map(str, arguments.scales))} pixels"


def _timed(net, C, S, settings, side):
    """Pixels and seconds of one step on copies whose longer side is `side`, or the pictures themselves if they are smaller."""
    settings = {**settings, "strip": None}
    small = [images.resize(picture, min(side, max(picture.shape[1:3]))) for picture in (C, S)]
    try:
        cost = total_cost.TotalCost(net, *small, **settings)
    except ShapeError:                                # too small for these layers: the real size will tell
        small = [C, S]
        cost = total_cost.TotalCost(net, *small, **settings)
    cost(small[0])                                    # compiles, and fills buffers
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        cost(small[0])
        times.append(time.perf_counter() - begun)
    return small[0].shape[1] * small[0].shape[2], min(times)


def _sides(picture):
    return f"{picture.shape[1]}x{picture.shape[2]} (n_H x n_W)"


def _bytes(n):
    return f"{n / 2 ** 20:.0f} MB" if n < 2 ** 30 else f"{n / 2 ** 30:.1f} GB"


def _duration(seconds):
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
