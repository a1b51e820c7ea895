package sqldb

// migration is the statements that lead from one version of the schema to the next. A released one is never
// changed; a change of the schema is a new one at the end.
type migration []string

// migrations holds version 1 first.
var migrations = []migration{{
	`CREATE TABLE category_pattern (
		id              {key} PRIMARY KEY,
		category        TEXT NOT NULL,
		app_patterns    {json} NOT NULL DEFAULT '[]',
		domain_patterns {json} NOT NULL DEFAULT '[]',
		title_patterns  {json} NOT NULL DEFAULT '[]')`,

	// digest stands for (app, url, title), whose length no index could take: it is the id that leat gives to
	// the content. A producer that creates rows of its own fills it likewise.
	`CREATE TABLE categorized_data (
		id           {key} PRIMARY KEY,
		digest       {key} NOT NULL UNIQUE,
		app          TEXT,
		url          TEXT,
		title        TEXT,
		category_id  {key},
		is_llm_based BOOLEAN,
		source       {key},
		position     {key})`,
	`CREATE INDEX categorized_data_position ON categorized_data (source, position)`,

	`CREATE TABLE pomodoro_usage_log (
		id                  {key} PRIMARY KEY,
		user_id             {key},
		categorized_data_id {key},
		category_id         {key},
		session             BIGINT,
		session_minutes     BIGINT,
		session_date        TEXT,
		timestamp           BIGINT,
		duration            DOUBLE PRECISION,
		source              {key},
		position            {key})`,
	`CREATE INDEX pomodoro_usage_log_position ON pomodoro_usage_log (source, position)`,
	`CREATE INDEX pomodoro_usage_log_user ON pomodoro_usage_log (user_id, timestamp)`,
}}
