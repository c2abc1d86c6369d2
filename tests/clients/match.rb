# fastlane match's own storage class, out of a checkout of fastlane. Prints a word and what came back as JSON.
require 'cgi'
require 'digest'
require 'fileutils'
require 'json'
require 'net/http'
require 'ostruct'
require 'pathname'
require 'tmpdir'

# Match prefers a pipeline's variables to its options.
%w[CI_API_V4_URL CI_PROJECT_ID CI_JOB_TOKEN GITLAB_PROJECT PRIVATE_TOKEN].each { |name| ENV.delete(name) }
source, url, project, kind, token = ARGV
TELL = ->(what, found) { puts "#{what} #{found.to_json}" }

module Match
  # What fastlane says to people. `user_error!` and `crash!` end a run of match.
  module UI
    %i[message verbose success important].each { |name| define_singleton_method(name) { |_| nil } }

    def self.error(text) = TELL['error', text]
    def self.user_error!(text) = raise(text)
    def self.crash!(text) = raise(text)
    def self.input(text) = raise("asked: #{text}")
  end
end

# The storage class names these, but uses nothing of them here: Apple's portal, and the options of the command line.
%w[module options spaceship_ensure].each { |name| $LOADED_FEATURES << "#{source}/match/lib/match/#{name}.rb" }
Dir.mktmpdir do |empty|
  %w[fastlane_core/command_executor fastlane_core/configuration/configuration].each do |name|
    FileUtils.mkdir_p("#{empty}/#{File.dirname(name)}")
    File.write("#{empty}/#{name}.rb", '')
  end
  $LOAD_PATH << empty
  require "#{source}/match/lib/match/storage/gitlab_secure_files"
end

storage = lambda do
  made = Match::Storage::GitLabSecureFiles.configure(
    gitlab_host: url, gitlab_project: project, kind.to_sym => token, team_id: 'TEAM', readonly: false
  )
  made.download
  made
end
below = ->(dir) { Dir["#{dir}/**/*"].select { |path| File.file?(path) }.map { |path| path.delete_prefix("#{dir}/") } }

first = storage.call
names = %w[certs/distribution/ABC.cer certs/distribution/ABC.p12 profiles/appstore/AppStore_app.mobileprovision]
paths = names.map do |name|
  path = "#{first.working_directory}/#{name}"
  FileUtils.mkdir_p(File.dirname(path))
  File.binwrite(path, Random.bytes(3000))
  path
end
first.upload_files(files_to_upload: paths)
first.upload_files(files_to_upload: [paths.first])

second = storage.call
TELL['downloaded', below[second.working_directory].sort]
moved = ->(path) { path.sub(first.working_directory, second.working_directory) }
TELL['same', paths.all? { |path| File.binread(path) == File.binread(moved[path]) }]
second.delete_files(files_to_delete: paths.drop(1).map(&moved))
TELL['left', below[storage.call.working_directory]]
