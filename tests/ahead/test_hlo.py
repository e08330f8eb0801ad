"""The text of an optimised program: shapes, trips of loops, operations, bytes and collectives."""

import jax
import jax.numpy as jnp
import pytest

from vosjax.ahead import hlo, traffic, trips

LOOP = """HloModule jit_f, is_scheduled=true

%scaled (param_0: f32[8,128], param_1: f32[128,128]) -> f32[8,128] {
  %param_0 = f32[8,128]{1,0:T(8,128)} parameter(0)
  %param_1 = f32[128,128]{1,0:T(8,128)S(1)} parameter(1)
  ROOT %product = f32[8,128]{1,0:T(8,128)} convolution(%param_0, %param_1), dim_labels=bf_io->bf
}

%body (carried: (s32[], f32[8,128], f32[128,128], s32[])) -> (s32[], f32[8,128], f32[128,128], s32[]) {
  %carried = (s32[]{:T(128)}, f32[8,128]{1,0:T(8,128)}, /*index=2*/f32[128,128]{1,0:T(8,128)S(1)}, s32[]{:T(128)}) parameter(0)
  %at = s32[]{:T(128)} get-tuple-element(%carried), index=0
  %one = s32[]{:T(128)} constant(STEP)
  %next = s32[]{:T(128)S(6)} add(%at, %one)
  %left = f32[8,128]{1,0:T(8,128)} get-tuple-element(%carried), index=1
  %right = f32[128,128]{1,0:T(8,128)S(1)} get-tuple-element(%carried), index=2
  %limit = s32[]{:T(128)} get-tuple-element(%carried), index=3
  %fused = f32[8,128]{1,0:T(8,128)} fusion(%left, %right), kind=kOutput, calls=%scaled, metadata={op_name="jit(f)/read/while/body/dot_general"}
  ROOT %out = (s32[]{:T(128)}, f32[8,128]{1,0:T(8,128)}, f32[128,128]{1,0:T(8,128)S(1)}, s32[]{:T(128)}) tuple(%next, %fused, %right, %limit)
}

%condition (carried.1: (s32[], f32[8,128], f32[128,128], s32[])) -> pred[] {
  %carried.1 = (s32[]{:T(128)}, f32[8,128]{1,0:T(8,128)}, f32[128,128]{1,0:T(8,128)S(1)}, s32[]{:T(128)}) parameter(0)
  %end = s32[]{:T(128)} constant(END)
  %at.1 = s32[]{:T(128)} get-tuple-element(%carried.1), index=0
  ROOT %less = pred[]{:T(512)} compare(%at.1, %end), direction=LT
}

ENTRY %main (x: f32[8,128], w: f32[128,128], n: s32[]) -> f32[8,128] {
  %x = f32[8,128]{1,0:T(8,128)} parameter(0)
  %w = f32[128,128]{1,0:T(8,128)} parameter(1)
  %n = s32[]{:T(128)} parameter(2)
  %begin = s32[]{:T(128)} constant(BEGIN)
  %copied = s32[]{:T(128)} copy(%begin)
  %start = (f32[128,128]{1,0:T(8,128)S(1)}, f32[128,128]{1,0:T(8,128)}, u32[]{:S(2)}) copy-start(%w)
  %done = f32[128,128]{1,0:T(8,128)S(1)} copy-done(%start)
  %all = (s32[]{:T(128)}, f32[8,128]{1,0:T(8,128)}, f32[128,128]{1,0:T(8,128)S(1)}, s32[]{:T(128)}) tuple(%copied, %x, %done, %n)
  %loop = (s32[]{:T(128)}, f32[8,128]{1,0:T(8,128)}, f32[128,128]{1,0:T(8,128)S(1)}, s32[]{:T(128)}) while(%all), condition=%condition, body=%body, metadata={op_name="jit(f)/read/while"}
  %result = f32[8,128]{1,0:T(8,128)} get-tuple-element(%loop), index=1
  ROOT %sum = f32[8,128]{1,0:T(8,128)} all-reduce(%result), replica_groups={{0,1}}, to_apply=%add, metadata={op_name="jit(f)/psum"}
}
"""  # noqa: E501  # as a compiler writes it


def loop(begin=0, end=7, step=1):
    text = LOOP.replace("BEGIN", str(begin)).replace("END", str(end)).replace("STEP", str(step))
    return hlo.parsed(text)


KERNEL = """HloModule jit_f, is_scheduled=true

ENTRY %main (x: f32[8,128], y: f32[8,128]) -> f32[8,128] {
  %x = f32[8,128]{1,0:T(8,128)} parameter(0)
  %y = f32[8,128]{1,0:T(8,128)S(1)} parameter(1)
  %both = f32[16,128]{1,0:T(8,128)} custom-call(%x, %y), custom_call_target="ConcatBitcast"
  ROOT %read = f32[8,128]{1,0:T(8,128)S(1)} custom-call(%x, %both), custom_call_target="tpu_custom_call", metadata={op_name="jit(f)/read"}, backend_config={"custom_call_config":{"body":"TUzv","cost_estimate":{"flops":"4096","transcendentals":"7","bytes_accessed":"8192","remote_bytes_transferred":"0"}}}
}
"""  # noqa: E501  # as a compiler writes it


def test_a_kernel_counts_with_what_its_author_states():
    (row,) = traffic.counted(hlo.parsed(KERNEL)).rows  # slices side by side are no copy
    assert (row.scope, row.products, row.bytes) == ("read", 4096, 8192)
    assert row.main == 8192 * 3 / 4  # by the sizes of what lies in the main memory


def compiled(function, *arguments):
    return traffic.counted(hlo.parsed(jax.jit(function).lower(*arguments).compile().as_text()))


@pytest.mark.parametrize(
    "layout, bytes, space",
    [
        ("1,0", 480 * 3 * 2, 0),
        ("1,0:T(8,128)(2,1)", 480 * 128 * 2, 0),
        ("0,1:T(8,128)S(1)", 8 * 512 * 2, 1),
    ],
)
def test_an_array_is_as_large_as_its_tiles(layout, bytes, space):
    array = hlo.array("bf16", "480,3", layout)
    assert (array.bytes, array.space, array.elements) == (bytes, space, 480 * 3)


@pytest.mark.parametrize(
    "begin, end, step, runs", [(0, 7, 1, 7), (2, 7, 1, 5), (0, 7, 2, 4), (0, 8, 2, 4), (9, 7, 1, 0)]
)
def test_a_loop_without_a_number_beside_it_runs_as_its_condition_says(begin, end, step, runs):
    program = loop(begin, end, step)
    main = program.computations[program.entry]
    assert trips.trips(program, main, main.instructions["loop"]) == runs


def test_a_loop_that_ends_at_an_argument_counts_once_and_is_named():
    text = LOOP.replace("BEGIN", "0").replace("STEP", "1")
    text = text.replace(
        "s32[]{:T(128)} constant(END)", "s32[]{:T(128)} get-tuple-element(%carried.1), index=3"
    )
    counted = traffic.counted(hlo.parsed(text))
    assert counted.unbounded == 1 and counted.products == 2 * 8 * 128 * 128


def test_what_a_loop_does_counts_as_often_as_it_runs():
    counted = traffic.counted(loop(end=7))
    assert counted.unbounded == 0
    assert counted.products == 7 * 2 * 8 * 128 * 128
    row = next(row for row in counted.rows if row.name == "fused")
    assert (row.times, row.scope) == (7, "read/while/body/dot_general")
    assert row.bytes == 7 * 4 * (8 * 128 + 128 * 128 + 8 * 128)


def test_what_stays_on_the_chip_is_no_traffic_of_the_main_memory():
    rows = {row.name: row for row in traffic.counted(loop(end=7)).rows}
    assert rows["fused"].main == 7 * 4 * (8 * 128 + 8 * 128)
    assert rows["start"].bytes == 2 * rows["start"].main == 2 * 4 * 128 * 128


def test_collectives_count_by_their_kinds():
    assert traffic.counted(loop()).collectives == {"all-reduce": 4 * 8 * 128}


def test_a_loop_is_one_row_among_the_largest():
    first = traffic.largest(traffic.counted(loop(end=7)).rows, 1)[0]
    assert (first.opcode, first.scope) == ("while", "read/while (loop)")
    assert first.products == 7 * 2 * 8 * 128 * 128


def test_the_loop_of_a_compiled_program_counts_like_the_same_written_out():
    def rolled(x, w):
        return jax.lax.scan(lambda c, _: (jnp.tanh(c @ w), None), x, None, length=6)[0]

    def unrolled(x, w):
        for _ in range(6):
            x = jnp.tanh(x @ w)
        return x

    x, w = jnp.zeros((64, 96)), jnp.zeros((96, 96))
    assert compiled(rolled, x, w).products == compiled(unrolled, x, w).products
    assert compiled(rolled, x, w).products == 6 * 2 * 64 * 96 * 96


@pytest.mark.parametrize("padding, pairs", [("VALID", 9 * 6 * 6), ("SAME", 22 * 22)])
def test_a_convolution_counts_what_is_no_padding(padding, pairs):
    image, kernel = jnp.zeros((1, 8, 8, 4)), jnp.zeros((3, 3, 4, 5))
    counted = compiled(
        lambda image, kernel: jax.lax.conv_general_dilated(
            image, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        image,
        kernel,
    )
    assert counted.products == 2 * pairs * 4 * 5


def test_a_row_that_is_updated_in_place_is_all_that_is_written():
    bank = jnp.zeros((100, 1000))
    function = jax.jit(lambda bank, row, at: bank.at[at].set(row), donate_argnums=0)
    text = function.lower(bank, jnp.zeros(1000), jnp.int32(3)).compile().as_text()
    assert traffic.counted(hlo.parsed(text)).bytes < 3 * 4 * 1000 + 1000
