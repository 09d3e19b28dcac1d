from training import console


def test_lines_have_the_formats_of_mindspores_own_callbacks():
    assert console.loss(1, 5, 1.2345) == "epoch: 1 step: 5, loss is 1.2345"
    assert console.epoch_time(1.234567, 100) == "Train epoch time: 1234.567 ms, per step time: 12.346 ms"
    assert console.not_finite(2, 7) == (
        "In epoch: 2 step: 7, loss is NAN or INF, training process cannot continue, terminating training."
    )


def test_a_skipped_step_does_not_read_as_a_loss():
    assert "loss is" not in console.skipped(1, 5, 512.0, 1)


def test_an_evaluation_is_told_in_one_line():
    told = console.evaluation(2, {"mIoU": 0.625, "pixel_accuracy": 0.80004})
    assert told == "Eval result: epoch 2, metrics: {'mIoU': 0.625, 'pixel_accuracy': 0.8}"
