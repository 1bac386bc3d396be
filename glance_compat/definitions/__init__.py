# SPDX-License-Identifier: Apache-2.0
"""Property definitions of images: reading them, and checking properties against them.

Glance has metadata definitions: namespaces that define the properties of a resource type. What
must live here: reading those of the resource type OS::Glance::Image from a cloud or from files,
and checks of the properties that a call adds or changes. What must not: the comparison of the
properties with those that the image has (see ``metadata.changes``).

``properties`` has the classes for definitions, and their text form. ``documents`` reads the JSON
of namespaces, which tenants write. ``patterns`` matches regular expressions in linear time,
``values`` converts the strings of properties to the defined types, and ``checks`` compares them
with definitions. These modules are pure. ``files`` reads files, ``sources`` requests and caches
definitions, and ``enforcement`` does what the option ``property_definitions`` says.
"""
