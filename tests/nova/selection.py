# SPDX-License-Identifier: Apache-2.0
"""The functional tests of Nova that use images and are run here, as data.

All of them pass with Nova's own module over HTTP to a v2 server (Glance 33, embedded). Names are
those of ``nova.tests.functional``.
"""

from __future__ import annotations

_BY_CLASS: dict[str, tuple[str, ...]] = {
    "api_sample_tests.test_create_backup.CreateBackupSamplesJsonTest": (
        "test_post_backup_server",
    ),
    "api_sample_tests.test_create_backup.CreateBackupSamplesJsonTestv2_45": (
        "test_post_backup_server",
    ),
    "api_sample_tests.test_images.ImagesSampleJsonTest": (
        "test_image_get",
        "test_image_meta_key_get",
        "test_image_meta_key_put",
        "test_image_metadata_get",
        "test_image_metadata_post",
        "test_image_metadata_put",
        "test_images_details",
        "test_images_list",
    ),
    "api_sample_tests.test_multiple_create.MultipleCreateJsonTest": (
        "test_multiple_create",
        "test_multiple_create_without_reservation_id",
    ),
    "api_sample_tests.test_preserve_ephemeral_rebuild.PreserveEphemeralOnRebuildJsonTest": (
        "test_server_rebuild_preserve_ephemeral_false",
        "test_server_rebuild_preserve_ephemeral_true",
    ),
    "api_sample_tests.test_rescue.RescueJsonTest": (
        "test_server_rescue",
        "test_server_rescue_with_image_ref_specified",
        "test_server_unrescue",
    ),
    "api_sample_tests.test_rescue.Rescuev287JsonTest": (
        "test_server_rescue",
        "test_server_rescue_with_image_ref_specified",
        "test_server_unrescue",
    ),
    "api_sample_tests.test_servers.ServersActionsJsonTest": (
        "test_server_confirm_resize",
        "test_server_reboot_hard",
        "test_server_reboot_soft",
        "test_server_rebuild",
        "test_server_resize",
        "test_server_revert_resize",
    ),
    "api_sample_tests.test_shelve.ShelveJsonTest": (
        "test_shelve",
        "test_shelve_offload",
        "test_unshelve",
    ),
    "api_sample_tests.test_shelve.UnshelveJson277Test": (
        "test_shelve",
        "test_shelve_offload",
        "test_unshelve",
        "test_unshelve_with_az",
    ),
    "libvirt.test_machine_type.LibvirtMachineTypeTest": (
        "test_machine_type_after_config_change",
        "test_machine_type_after_server_rebuild",
        "test_machine_type_after_server_soft_reboot",
        "test_machine_type_get",
        "test_machine_type_list_unset_machine_type",
        "test_machine_type_update_blocked_active",
        "test_machine_type_update_blocked_between_alias_and_versioned",
        "test_machine_type_update_blocked_between_types",
        "test_machine_type_update_blocked_between_versioned_and_alias",
    ),
    "libvirt.test_stateless_firmware.LibvirtStatelessFirmwareTest": (
        "test_create_server",
        "test_evacuate_server",
        "test_live_migrate_server",
        "test_migrate_server",
        "test_migrate_server_revert",
        "test_rebuild_server",
        "test_rescue_unrescue_server",
    ),
    "libvirt.test_uefi.UEFIServersFirmwareTest": (
        "test_rebuild",
        "test_resize",
    ),
    "libvirt.test_uefi.UEFIServersTest": (
        "test_create_server",
        "test_create_server_bios_boot_stateless_1__None__True_",
        "test_create_server_bios_boot_stateless_2__None__False_",
        "test_create_server_bios_boot_stateless_3___bios___True_",
        "test_create_server_bios_boot_stateless_4___bios___False_",
        "test_create_server_secure_boot",
        "test_create_server_secure_boot_stateless",
        "test_create_server_stateless",
    ),
    "notification_sample_tests.test_instance.TestInstanceNotificationSample": (
        "test_create_server_error",
        "test_instance_exists_usage_audit",
    ),
    "regressions.test_bug_1522536.TestServerGet": ("test_id_overlap",),
    "regressions.test_bug_1541691.TestServerValidation": ("test_name_validation",),
    "regressions.test_bug_1548980.TestServerGet": ("test_list_deleted_instances",),
    "regressions.test_bug_1558866.TestServerGet": ("test_boot_server_with_invalid_image_meta",),
    "regressions.test_bug_1595962.TestSerialConsoleLiveMigrate": (
        "test_serial_console_live_migrate",
    ),
    "regressions.test_bug_1669054.ResizeEvacuateTestCase": ("test_resize_then_evacuate",),
    "regressions.test_bug_1670627.TestDeleteFromCell0CheckQuota": (
        "test_delete_error_instance_in_cell0_and_check_quota",
    ),
    "regressions.test_bug_1675570.TestLocalDeleteAttachedVolumes": (
        "test_local_delete_with_volume_attached",
    ),
    "regressions.test_bug_1713783.FailedEvacuateStateTests": ("test_evacuate_no_valid_host",),
    "regressions.test_bug_1732947.RebuildVolumeBackedSameImage": (
        "test_volume_backed_rebuild_same_image",
    ),
    "regressions.test_bug_1746483.TestBootFromVolumeIsolatedHostsFilter": (
        "test_boot_from_volume_with_isolated_image",
    ),
    "regressions.test_bug_1764883.TestEvacuationWithSourceReturningDuringRebuild": (
        "test_evacuation_with_source_compute_returning_during_rebuild",
    ),
    "regressions.test_bug_1806515.ShowErrorServerWithTags": ("test_show_server_tag_in_error",),
    "regressions.test_bug_1835822.RegressionTest1835822": (
        "test_create_server_config_drive_reboot_after_conf_change",
        "test_create_server_config_drive_rebuild_after_conf_change",
        "test_create_server_config_drive_shelve_unshelve_conf_change",
        "test_create_server_with_config_drive",
        "test_create_server_with_forced_config_drive",
        "test_create_server_with_forced_config_drive_reboot",
        "test_create_server_without_config_drive",
    ),
    "regressions.test_bug_1843708.RebuildWithKeypairTestCase": ("test_rebuild_with_keypair",),
    "regressions.test_bug_1862633.UnshelveNeutronErrorTest": (
        "test_unshelve_offloaded_fails_due_to_neutron",
    ),
    "regressions.test_bug_1895696.TestNonBootableImageMeta": (
        "test_nonbootable_metadata_bfv_image_metadata",
        "test_nonbootable_metadata_bfv_volume_image_metadata",
        "test_nonbootable_metadata_image_metadata",
    ),
    "regressions.test_bug_1902925.ComputeVersion5xPinnedRpcTests": (
        "test_rebuild_instance_5_0",
        "test_rebuild_instance_5_12",
    ),
    "regressions.test_bug_2040264.ComputeVersion6xPinnedRpcTests": (
        "test_rebuild_instance_6_0",
        "test_rebuild_instance_6_1",
        "test_rebuild_instance_6_2",
    ),
    "regressions.test_bug_2062127.TestRebuildWithSnapshotImage": (
        "test_rebuild_bfv_with_snapshot_image",
    ),
    "regressions.test_bug_2085975.TestComputeStartupInProgressEvacuation": (
        "test_compute_startup_evacuation_in_progress",
    ),
    "test_aggregates.IsolateAggregateFilterTest": (
        "test_filter_with_common_trait_on_aggregates",
        "test_filter_with_trait_on_flavor",
        "test_filter_with_traits_image_flavor_disjoint_of_aggregates",
        "test_filter_with_traits_image_flavor_subset_of_aggregates",
        "test_filter_with_traits_on_image_and_flavor",
        "test_filter_without_trait",
    ),
    "test_boot_from_volume.BootFromVolumeTest": (
        "test_boot_from_volume_larger_than_local_gb",
        "test_max_local_block_devices_0_force_bfv",
        "test_reboot_bfv_instance",
        "test_reboot_bfv_instance_snapshot",
        "test_rebuild_volume_backed_larger_than_local_gb",
    ),
    "test_ephemeral_encryption.TestEphemeralEncryptionLUKS": (
        "test_flavor_and_image_disabled",
        "test_flavor_and_image_requested",
        "test_flavor_and_image_requested_luks",
        "test_flavor_disabled",
        "test_flavor_disabled_and_image_requested",
        "test_flavor_requested",
        "test_flavor_requested_and_image_disabled",
        "test_flavor_requested_luks",
        "test_image_disabled",
        "test_image_requested",
        "test_image_requested_luks",
        "test_image_requested_luks_flavor_requested_plain",
        "test_image_requested_plain",
        "test_image_requested_plain_flavor_requested_luks",
    ),
    "test_images.ImagesTest": ("test_create_images_negative_invalid_state",),
    "test_instance_actions.InstanceActionsTestV221": ("test_get_instance_actions_shelve_deleted",),
    "test_server_rescue.AllowBFVRescuev287WithRescueImageProperties": ("test_bfv_rescue_done",),
    "test_server_rescue.AllowBFVRescuev287WithTrait": ("test_bfv_rescue_supported",),
    "test_server_rescue.DisallowBFVRescuev286": ("test_bfv_rescue_not_supported",),
    "test_server_rescue.DisallowBFVRescuev286WithTrait": ("test_bfv_rescue_not_supported",),
    "test_server_rescue.DisallowBFVRescuev287WithoutRescueImageProperties": (
        "test_bfv_rescue_failed",
    ),
    "test_server_rescue.DisallowBFVRescuev287WithoutTrait": ("test_bfv_rescue_not_supported",),
    "test_servers.PortBindingShelvedServerTest": (
        "test_shelve_offload_with_port",
        "test_shelve_offload_with_port_preserve_dns",
    ),
    "test_servers.ServerMovingTests": (
        "test_evacuate_rebuild_on_dest_fails_clean_hypervisor",
        "test_evacuate_rebuild_on_dest_fails_instance_kept_on_the_hypervisor",
        "test_rebuild_server_conflict",
        "test_shelve_offload_unshelve_diff_host",
        "test_shelve_offload_unshelve_same_host",
        "test_shelve_unshelve",
        "test_shelve_unshelve_after_server_created_with_host",
        "test_shelve_unshelve_to_host",
        "test_shelve_unshelve_to_host_instance_not_offloaded",
    ),
    "test_servers.ServerRebuildTestCase": (
        "test_rebuild_with_image_novalidhost",
        "test_rebuild_with_new_image",
        "test_volume_backed_rebuild_different_image",
    ),
    "test_servers.ServerRebuildTestCaseV293": (
        "test_volume_backed_rebuild_root_create_failed",
        "test_volume_backed_rebuild_root_delete_old_failed",
        "test_volume_backed_rebuild_root_instance_deleted",
        "test_volume_backed_rebuild_root_v293",
    ),
    "test_servers.ServerTestV220": (
        "test_attach_detach_vol_to_shelved_offloaded_server_new_flow",
    ),
    "test_servers.ServerUnshelveSpawnFailTests": (
        "test_driver_spawn_fail_when_unshelving_instance",
    ),
    "test_servers.ServerUnshelveSpawnFailTestsWithNestedResourceRequest": (
        "test_driver_spawn_fail_when_unshelving_instance",
    ),
    "test_servers.ServersTest": (
        "test_create_and_rebuild_server",
        "test_create_server_with_image_type_filter",
    ),
    "test_servers.ServersTestV219": ("test_rebuild_server_with_description",),
    "test_servers.TraitsBasedSchedulingTest": (
        "test_flavor_forbidden_traits_based_scheduling",
        "test_flavor_image_trait_on_volume_backed_instance",
        "test_flavor_image_traits_based_scheduling",
        "test_flavor_image_traits_based_scheduling_no_valid_host",
        "test_flavor_traits_based_scheduling",
        "test_flavor_traits_based_scheduling_no_valid_host",
        "test_image_trait_on_volume_backed_instance",
        "test_image_trait_on_volume_backed_instance_no_valid_host",
        "test_image_traits_based_scheduling",
        "test_image_traits_based_scheduling_no_valid_host",
        "test_rebuild_instance_with_image_traits",
        "test_rebuild_instance_with_image_traits_and_forbidden_flavor_traits",
        "test_rebuild_instance_with_image_traits_no_host",
        "test_rebuild_instance_with_image_traits_no_image_change",
    ),
    "test_servers.VolumeBackedServerTest": (
        "test_volume_backed_image_type_filter",
        "test_volume_backed_no_disk_allocation",
    ),
    "wsgi.test_servers.EnforceVolumeBackedForZeroDiskFlavorTestCase": (
        "test_create_image_backed_server_with_zero_disk_fails",
        "test_create_volume_backed_server_with_zero_disk_allowed",
    ),
}

SELECTED: tuple[str, ...] = tuple(
    f"{case}.{test}" for case, tests in _BY_CLASS.items() for test in tests
)

#: The fast tests, of every kind, that run every time.
OFTEN: tuple[str, ...] = (
    "api_sample_tests.test_create_backup.CreateBackupSamplesJsonTestv2_45.test_post_backup_server",
    "api_sample_tests.test_images.ImagesSampleJsonTest.test_image_meta_key_put",
    "api_sample_tests.test_images.ImagesSampleJsonTest.test_image_metadata_get",
    "api_sample_tests.test_rescue.Rescuev287JsonTest.test_server_rescue",
    "api_sample_tests.test_shelve.UnshelveJson277Test.test_shelve_offload",
    "libvirt.test_machine_type.LibvirtMachineTypeTest.test_machine_type_get",
    "libvirt.test_uefi.UEFIServersTest.test_create_server",
    "notification_sample_tests.test_instance.TestInstanceNotificationSample"
    ".test_instance_exists_usage_audit",
    "regressions.test_bug_1558866.TestServerGet.test_boot_server_with_invalid_image_meta",
    "regressions.test_bug_1806515.ShowErrorServerWithTags.test_show_server_tag_in_error",
    "regressions.test_bug_1835822.RegressionTest1835822.test_create_server_with_config_drive",
    "regressions.test_bug_1843708.RebuildWithKeypairTestCase.test_rebuild_with_keypair",
    "regressions.test_bug_1895696.TestNonBootableImageMeta"
    ".test_nonbootable_metadata_image_metadata",
    "test_boot_from_volume.BootFromVolumeTest.test_max_local_block_devices_0_force_bfv",
    "test_ephemeral_encryption.TestEphemeralEncryptionLUKS"
    ".test_image_requested_luks_flavor_requested_plain",
    "test_images.ImagesTest.test_create_images_negative_invalid_state",
    "test_server_rescue.DisallowBFVRescuev286.test_bfv_rescue_not_supported",
    "test_servers.ServerRebuildTestCase.test_volume_backed_rebuild_different_image",
    "test_servers.ServersTest.test_create_and_rebuild_server",
    "wsgi.test_servers.EnforceVolumeBackedForZeroDiskFlavorTestCase"
    ".test_create_image_backed_server_with_zero_disk_fails",
    "wsgi.test_servers.EnforceVolumeBackedForZeroDiskFlavorTestCase"
    ".test_create_volume_backed_server_with_zero_disk_allowed",
)

_LOWER_CASE = "v1 stores property names in lower case, and the test looks for 'Label'"

_TRAIT = "the image requires a trait, and a name with a colon cannot be that of a header"
_AGGREGATES = "test_aggregates.IsolateAggregateFilterTest.test_filter_with_traits"

#: Tests of features that v1 lacks, with the reason.
CANNOT_ON_V1: dict[str, str] = {
    **{
        name: _TRAIT
        for name in SELECTED
        if name.startswith("test_servers.TraitsBasedSchedulingTest.")
    },
    f"{_AGGREGATES}_image_flavor_disjoint_of_aggregates": _TRAIT,
    f"{_AGGREGATES}_image_flavor_subset_of_aggregates": _TRAIT,
    f"{_AGGREGATES}_on_image_and_flavor": _TRAIT,
    "api_sample_tests.test_images.ImagesSampleJsonTest.test_image_metadata_post": _LOWER_CASE,
}

#: Tests that also fail with Nova's own module over HTTP to a v2 server, and are not selected: the
#: reasons, each with an example (docs/nova.rst has more).
LEFT_OUT: dict[str, str] = {
    "test_images.ImagesTest.test_admin_snapshot_user_image_access_member": (
        "expects owner and instance_owner among the properties, where Nova's fake puts them"
    ),
    "notification_sample_tests.test_instance.TestInstanceNotificationSample"
    ".test_create_delete_server": (
        "expects that an image has no key checksum, which Nova's own module always gives"
    ),
    "test_servers.AcceleratorServerOpsTest.test_backup_ok": (
        "replaces nova.service_auth by a mock, so that no token goes to Glance"
    ),
    "test_servers.ServersTest.test_unshelve_overquota": (
        "expects that a snapshot is active although nobody has sent its data"
    ),
    "test_boot_from_volume.BootFromVolumeLargeRequestTest"
    ".test_boot_from_volume_10_servers_255_volumes_2_images": (
        "looks at calls of the fixture itself"
    ),
}
