"""Each promise of the command line with its tests."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROMISES = {
    # outputs
    "an output is whole or absent": [
        "test_interruption.py::test_fifty_kills_damage_no_file",
        "test_photo_writing.py::test_a_killed_writer_never_tears_the_file",
    ],
    "a full disk leaves existing files as they are": [
        "test_interruption.py::test_a_full_disk_fails_only_what_does_not_fit",
        "test_photo_writing.py::test_a_full_disk_leaves_the_old_file",
    ],
    "an interruption leaves no temporary file, exits with 130 or 143, and a rerun makes the rest": [
        "test_interruption.py::test_signals_between_and_inside_writes",
        "test_relight_command.py::test_interruption_leaves_nothing_behind",
        "test_signals.py::test_a_file_that_is_begun_is_finished_before_the_end",
        "test_progress.py::test_ctrl_c_says_what_is_done_and_how_to_make_the_rest",
    ],
    "an interruption never ends in a crash or a traceback": [
        "test_signals.py::test_a_file_that_is_begun_is_finished_before_the_end",
        "test_signals.py::test_an_interruption_is_not_lost_in_a_destructor",
        "test_signals.py::test_a_signal_after_the_work_is_done_changes_nothing",
    ],
    "the number of threads changes no sample of tiny": [
        "test_same_bytes.py::test_tiny_gains_lights_and_geometry_do_not_depend_on_threads"
    ],
    "with --progress json every line on stderr is an event": [
        "test_progress.py::test_a_run_in_events",
        "test_progress.py::test_errors_are_events_too",
    ],
    "temporary files of killed runs are removed by the next run": [
        "test_interruption.py::test_fifty_kills_damage_no_file",
        "test_leftovers.py::test_only_what_is_surely_left_is_swept",
    ],
    "inputs never change": [
        "test_interruption.py::test_fifty_kills_damage_no_file",
        "test_hostile_input.py::test_an_input_is_never_the_output_by_any_name",
    ],
    "a link as output is replaced, never followed": [
        "test_hostile_input.py::test_links_as_outputs_are_replaced_not_followed"
    ],
    "new files have the mode of the umask": ["test_photo_writing.py::test_modes"],
    "an existing output is an error without --overwrite or --skip-existing": [
        "test_relight_command.py::test_existing_outputs",
        "test_photo_writing.py::test_a_name_taken_at_the_last_moment_is_kept",
    ],
    "a read-only folder is refused before any work": ["test_interruption.py::test_a_read_only_folder_is_refused_first"],
    # stdout
    "stdout contains nothing but the picture": ["test_streams.py::test_output_of_libraries_is_not_in_the_picture"],
    "a closed pipe ends the run quietly": ["test_streams.py::test_a_closed_pipe_ends_the_run_quietly"],
    "closed standard streams do no harm": ["test_streams.py::test_closed_streams"],
    "quiet on success": ["test_relight_command.py::test_relit_is_nearer_to_the_reference_and_quiet"],
    # batches
    "a bad file does not stop the others": ["test_batches.py::test_good_photos_among_broken_ones"],
    "a bad file gives one line, whatever its decoder prints": [
        "test_quiet_decoding.py::test_each_broken_file_is_one_line",
        "test_quiet_decoding.py::test_other_threads_come_through",
    ],
    "the report has an entry for every photo": ["test_batches.py::test_a_summary_and_a_report"],
    "a single photo fails with its own exit code": [
        "test_relight_command.py::test_one_bad_file_alone_has_its_own_code"
    ],
    "memory holds the current photo and one more": [
        "test_batches.py::test_memory_holds_at_most_one_more_photo",
        "test_batches.py::test_no_memory_hungry_encoder_runs_with_the_network",
    ],
    "the next photo is read and the previous one written during the work": [
        "test_batches.py::test_the_next_photo_is_read_and_the_previous_written_during_the_work"
    ],
    "lists of names, on stdin too": ["test_batches.py::test_lists_of_names"],
    "trees are mirrored": ["test_batches.py::test_trees_are_mirrored"],
    "templates never leave their folder": ["test_batches.py::test_templates_never_leave_their_folder"],
    "outputs with the same name are refused before any work": [
        "test_batches.py::test_names_that_clash_are_refused_before_anything"
    ],
    "--skip-existing compares settings and inputs": [
        "test_batches.py::test_what_changed_is_done_again",
        "test_timelapse_again.py::test_what_changed_is_made_again_and_nothing_else",
        "test_timelapse_again.py::test_slopes_reach_further_and_a_part_is_as_the_whole",
        "test_timelapse_again.py::test_videos_know_how_they_were_made",
    ],
    "--skip-existing never replaces what another hand changed": [
        "test_retouched.py::test_a_painted_output_stays",
        "test_retouched.py::test_a_painted_layer_stays_with_its_photo",
        "test_retouched.py::test_painted_frames_of_a_moving_sun_stay",
        "test_retouched.py::test_an_edited_light_stays",
        "test_timelapse_again.py::test_painted_frames_and_videos_stay",
        "test_timelapse_again.py::test_videos_of_another_hand_stay",
        "test_timelapse_again.py::test_a_painted_plot_stays",
        "test_refine_depth_command.py::test_painted_maps_stay",
        "test_refine_depth_command.py::test_changed_maps_stay",
    ],
    "processes on one folder make every photo and frame once": [
        "test_sharing.py::test_every_photo_is_made_once",
        "test_sharing.py::test_every_frame_is_made_once",
        "test_sharing.py::test_a_video_is_made_once",
        "test_sharing.py::test_the_claims_of_a_killed_process_are_free",
        "test_sharing.py::test_a_file_system_without_locks",
    ],
    "an output that appears meanwhile is skipped": ["test_sharing.py::test_an_output_that_appears_is_skipped"],
    "what cannot get better stops a run and says how to go on": [
        "test_full_disk.py::test_a_run_stops_and_says_how_to_go_on",
        "test_full_disk.py::test_a_full_disk_under_the_report",
        "test_full_disk.py::test_frames_stop_and_are_resumed",
        "test_full_disk.py::test_a_device_that_is_lost_stops_the_run",
    ],
    "the report records how stripped outputs were made": [
        "test_batches.py::test_the_report_tells_of_stripped_outputs",
        "test_timelapse_again.py::test_the_report_tells_of_stripped_outputs",
    ],
    "files of other programs are left alone": [
        "test_batches.py::test_what_others_made_is_left_alone",
        "test_timelapse_again.py::test_what_others_made_is_left_alone_with_one_note",
    ],
    "a rerun with nothing to do loads nothing": ["test_batches.py::test_nothing_is_loaded_if_nothing_is_to_do"],
    "photos that relight-cli made are left out": ["test_batches.py::test_the_tools_own_photos_are_left_out"],
    # fidelity
    "EXIF, maker notes, XMP, profile and dpi survive, the thumbnail does not": [
        "test_photo_promises.py::test_metadata_comes_through_byte_for_byte",
        "test_photo_provenance.py::test_signing_moves_nothing_and_drops_the_thumbnail",
        "test_photo_writing.py::test_metadata_survives_byte_for_byte",
        "test_photo_formats.py::test_metadata_survives_byte_for_byte",
    ],
    "outputs keep the format of the input": [
        "test_photo_promises.py::test_every_kind_comes_out_as_its_own_kind",
        "test_photo_promises.py::test_float_tiff_stays_float",
    ],
    "camera raw is developed to linear light, as a 16-bit TIFF or a JPEG": [
        "test_photo_promises.py::test_a_raw_file_becomes_a_linear_sixteen_bit_tiff_or_a_jpeg",
        "test_photo_formats.py::test_a_raw_file_is_developed_linear_and_upright",
    ],
    "EXR is linear light of any brightness": [
        "test_photo_formats.py::test_exr_is_linear_light_of_any_brightness",
        "test_photo_formats.py::test_linear_light_is_encoded_as_srgb_in_few_bits",
    ],
    "deep HEIF, AVIF and JPEG 2000 are read in full": [
        "test_photo_formats.py::test_heif_keeps_eight_bits_and_rounds_sixteen_to_ten",
        "test_photo_formats.py::test_deep_avif_is_read_in_full",
        "test_photo_formats.py::test_jpeg2000_of_other_depths_and_bare_codestreams",
    ],
    "only the first picture of a file is used, with a note": [
        "test_photo_reading.py::test_only_the_first_picture_counts",
        "test_photo_formats.py::test_the_main_picture_of_a_heif_is_used",
    ],
    "a TIFF description of another shape is dropped": [
        "test_photo_promises.py::test_a_description_of_another_shape_is_left_behind"
    ],
    "16 bits stay 16 bits": [
        "test_photo_promises.py::test_sixteen_bits_in_are_sixteen_bits_out",
        "test_relight_command.py::test_sixteen_bits_stay",
        "test_photo_reading.py::test_sixteen_bits_are_never_flattened",
        "test_photo_colours.py::test_sixteen_bit_cmyk_stays_sixteen_bits",
    ],
    "alpha and size survive": ["test_relight_command.py::test_odd_pictures_keep_their_kind"],
    "outputs are upright": [
        "test_relight_command.py::test_metadata_and_orientation",
        "test_photo_reading.py::test_eight_orientations_of_a_tiff",
    ],
    "wide profiles keep their colours": [
        "test_photo_promises.py::test_wide_gamuts_come_out_in_their_own_profile_with_the_right_colours",
        "test_photo_promises.py::test_colours_outside_srgb_stay_outside",
        "test_photo_colours.py::test_colours_outside_srgb_survive",
    ],
    "outputs record how they were made, and --strip removes all of it": [
        "test_photo_provenance.py::test_the_signature_survives_every_format",
        "test_photo_promises.py::test_the_history_says_how_and_nothing_private",
        "test_photo_promises.py::test_strip_takes_all_but_the_colours",
        "test_photo_promises.py::test_strip_leaves_no_original_among_the_frames_of_a_timelapse",
    ],
    "broken metadata is a note, not an error": [
        "test_photo_promises.py::test_broken_metadata_is_a_warning",
        "test_photo_reading.py::test_a_damaged_metadata_chunk_costs_a_note_not_the_png",
        "test_photo_writing.py::test_metadata_that_the_encoder_refuses_is_dropped_with_a_note",
    ],
    "two runs on a machine give the same bytes": ["test_batches.py::test_the_same_run_gives_the_same_bytes"],
    # hostile input
    "every input gives a photo or one error": [
        "test_hostile_input.py::test_broken_files_are_unreadable_and_nothing_else",
        "test_photo_reading.py::test_any_damage_ends_in_a_photo_or_in_our_error",
    ],
    "--max-pixels is checked in the header": ["test_hostile_input.py::test_bombs_are_refused_by_their_header"],
    "EPS, FITS and PSD are never decoded": ["test_hostile_input.py::test_a_suffix_says_nothing_of_what_is_inside"],
    "control characters in names are escaped": ["test_hostile_input.py::test_odd_names"],
    # devices and models
    "out of memory: fewer tiles, then the CPU, then exit code 7": [
        "test_streams.py::test_fewer_tiles_when_memory_runs_out",
        "test_streams.py::test_the_cpu_takes_over",
        "test_streams.py::test_out_of_memory_with_one_tile_on_the_cpu",
    ],
    "options are checked before a model is loaded": [
        "test_relight_command.py::test_usage_errors_are_found_before_anything_happens"
    ],
    "an explicit model never falls back": ["test_relight_command.py::test_an_explicit_model_never_falls_back"],
    "auto falls back with one line": ["test_relight_command.py::test_auto_falls_back_with_one_line"],
    "a checkpoint is used only if its hash matches": [
        "test_weights.py::test_a_damaged_body_of_the_same_size_is_refused_and_not_kept",
        "test_weights.py::test_a_wrong_file_in_the_weights_folder_is_refused_and_left",
    ],
    "pickles are read as tensors only": ["test_architecture.py::test_only_one_place_does_it"],
    "only checkpoints are downloaded, and an unreachable Hub is noticed at once": [
        "test_weights.py::test_offline_takes_the_cache_and_never_asks",
        "test_weights.py::test_a_hub_that_is_away_is_known_within_five_seconds",
    ],
    "help and completion load nothing heavy": ["test_architecture.py::test_help_and_completion_load_nothing_heavy"],
    "a missing extra is an error with its pip command": [
        "test_photo_formats.py::test_a_missing_extra_is_named_with_the_pip_line",
        "test_photo_promises.py::test_a_missing_extra_is_exit_3_before_any_work",
        "test_photo_promises.py::test_one_photo_without_its_extra_costs_only_itself",
    ],
}


def collected(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    return {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_has_its_tests(promise: str) -> None:
    assert PROMISES[promise]
    for test in PROMISES[promise]:
        file, name = test.split("::")
        assert name in collected(next((ROOT / "tests").rglob(file))), test
