-- Whether a partition is of the last week, by {arrived}, a text that sorts as time does, such as {form} writes it.
-- The right side is reckoned before anything is listed; a person moves it in Athena's console.
{arrived} >= date_format(current_timestamp - interval '7' day, {form}) /* the last 7 days: each is 24 folders to list */
