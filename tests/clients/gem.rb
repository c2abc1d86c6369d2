# What the `gitlab` gem is used for, danger-gitlab's calls among it. Prints a word and what came back as JSON.
# The gem knows no secure files: they go through the requests that its own calls are made of.
require 'cgi'
require 'gitlab'
require 'json'
require 'tempfile'

url, project, token = ARGV
api = Gitlab.client(endpoint: "#{url}/api/v4", private_token: token)
tell = ->(what, found) { puts "#{what} #{found.to_json}" }
refused = lambda do |&request|
  request.call
rescue Gitlab::Error::ResponseError => e
  { status: e.response_status, message: e.message[/message: (.*)\. Request/, 1] }
end

tell['user', api.user.username]
found = api.project(project)
tell['project', found.path_with_namespace]
tell['jobs', api.jobs(project).map(&:name)]

files = "/projects/#{CGI.escape(project)}/secure_files"
Tempfile.create('key') do |file|
  file.binmode
  file.write((0..255).to_a.pack('C*'))
  file.flush
  body = -> { { name: 'certs/key.jks', file: File.open(file.path) } }
  made = api.post(files, body: body[], multipart: true)
  tell['made', made.to_h]
  tell['again', refused.call { api.post(files, body: body[], multipart: true) }]
  tell['all', api.get(files).map(&:name)]
  api.delete("#{files}/#{made.id}")
  tell['missing', refused.call { api.get("#{files}/#{made.id}") }]
  tell['upload', api.upload_file(found.id, file.path).to_h]
end

text = "puts 1\n" * 100
tell['created', api.create_file(project, 'app/a b.rb', 'main', text, 'add').to_h]
tell['got', api.get_file(project, 'app/a b.rb', 'main').to_h]
tell['contents', api.file_contents(project, 'app/a b.rb', 'main') == text]
tell['edited', api.edit_file(project, 'app/a b.rb', 'main', "puts 2\n", 'edit').to_h]
api.remove_file(project, 'app/a b.rb', 'main', 'remove')
tell['gone', refused.call { api.get_file(project, 'app/a b.rb', 'main') }]
