"""What tests share. A test takes the smallest project that can show its law.

Projects, with the seconds that one takes to make on a quiet machine (a copy takes a tenth):

- ``clone.Clone``: the working tree with the pipeline itself on a tiny demo shop; the fixture ``shop`` is one after its
  `dvc repro` (20 s, 5 s where an earlier session made it), ``copy`` one that a test may change.
- ``small_project``: one stage, the shipped remote, an embedded S3 (2 s): remotes, the doctor, AWS.
- ``tiny_project.TinyProject``: no pipeline, a tracked file, a bare git remote, a folder remote (2 s): publishing.
- ``source_project.Project``: a source folder and weeks of lines to put in (1 s): ingest, imports, updates.
- ``release_sample.Shop``: commits as a run leaves them, written by hand, no DVC command (0.5 s): releases.
- ``weekly_world.World``: git remote, project, S3 bucket, and ``short_pipeline``, whose stages take a moment (15 s): the
  scheduled run and its faults.

How they run commands: ``commands`` (environment, ``run``, ``must``) and ``preloaded`` (without imports). What goes
wrong: ``evidence_faults`` and ``evidence_fault_table`` in a run; ``weekly_faults`` with ``weekly_acts*``,
``weekly_scene``, ``weekly_trial``, ``weekly_oracle`` and ``chaos`` in the scheduled run. Without a project:
``tables`` (rows by hand), ``tiny_network``, ``tiny_study``, ``card_sample`` and ``page_sample`` (a run by hand),
``source_tree`` (syntax trees of the code), ``browser`` (headless Chromium).
"""
