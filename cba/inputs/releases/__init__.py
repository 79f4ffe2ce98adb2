"""New releases: clients of the publishers, downloaded files, and immutable snapshots of the tables they make.

An analysis names its sources and the snapshot it reads under ``[data]``; identifiers, versions and labels are
the publisher's and are read off its pages, never guessed::

    [data]
    store = "reports/.data"
    snapshot = "current"                # or "shipped", or an identifier

    [[data.sources]]
    name = "length of care"
    kind = "ees"                        # API of Explore Education Statistics; also ees_csv, nomis, hmt_deflator
    base_url = "https://api.education.gov.uk/statistics"
    data_set = "7588c2d6-9e8a-4d84-8f19-6b8d52a01fbd"
    version = "2.0"                     # the version the mapping was written for
    publication = "children-looked-after-in-england-including-adoptions"
    calendar = "ees"
    calendar_url = "https://content.explore-education-statistics.service.gov.uk/api"
    source = "EES1"                     # its key in sources.csv
    title = "Children looked after in England including adoptions, length of care"
    publisher = "Department for Education"

    [[data.sources.tables]]
    table = "care_duration"             # one of our tables
    level = "National"
    value = "mean_days"                 # the publisher's column
    unit = ""                           # the unit its metadata give
    fixed = { measure = "mean_days_final_period_of_care" }
    keep = { sex = "Total" }            # of this column only this label

A column of ours that depends on a column of the source is mapped label by label::

    [data.sources.tables.words.category]
    column = "age_group"
    labels = { "Under 1 year" = "under_1", "1 to 4 years" = "1_4" }
    ignore = ["Total"]
"""
